{% test unique_together(model, columns) %}
SELECT
    {{ columns | join(', ') }},
    count(*) AS found
FROM {{ model }}
GROUP BY {{ columns | join(', ') }}
HAVING count(*) > 1 OR num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
