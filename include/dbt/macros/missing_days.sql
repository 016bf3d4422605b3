{#
The days of each month without a complete load, up to the newest loaded day: a month's totals lack them.

Args:
    dataset: name in load_log of a dataset with a day as its partition.

Returns:
    Query with the columns month (date) and missing_days (text, such as "2024-06-03, 2024-06-04").
#}
{% macro missing_days(dataset) %}
    SELECT
        date_trunc('month', expected.day)::date AS month,
        string_agg(expected.day::text, ', ' ORDER BY expected.day) AS missing_days
    FROM (
        SELECT
            generate_series(
                date_trunc('month', min(partition_key::timestamp)), max(partition_key::timestamp), '1 day'
            )::date AS day
        FROM {{ source('warehouse', 'load_log') }}
        WHERE dataset = '{{ dataset }}'
    ) AS expected
    LEFT JOIN (
        SELECT DISTINCT ON (partition_key) partition_key::date AS day, complete
        FROM {{ source('warehouse', 'load_log') }}
        WHERE dataset = '{{ dataset }}'
        ORDER BY partition_key, load_id DESC
    ) AS loads ON expected.day = loads.day
    WHERE loads.complete IS NOT true
    GROUP BY 1
{% endmacro %}
