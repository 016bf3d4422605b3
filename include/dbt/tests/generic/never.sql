{% test never(model, conditions, column_name=none) %}
SELECT 1 AS found
FROM {{ model }}
WHERE ({{ conditions | join(') OR (') }})
{% endtest %}
