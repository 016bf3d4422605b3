{% test within(model, column_name, lowest, highest) %}
SELECT {{ column_name }}
FROM {{ model }}
WHERE {{ column_name }} < {{ lowest }} OR {{ column_name }} > {{ highest }}
{% endtest %}
