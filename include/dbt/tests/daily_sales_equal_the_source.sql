-- Days on which the mart differs from the source: the incremental model has lost or duplicated lines.
WITH lines AS (
    SELECT
        day,
        sum(quantity * unit_price) AS amount
    FROM {{ source('warehouse', 'sales_data') }}
    GROUP BY day
)

SELECT
    marts.day,
    marts.gross_amount - marts.cancelled_amount AS in_mart,
    lines.amount AS in_source
FROM {{ ref('daily_sales') }} AS marts
FULL JOIN lines ON marts.day = lines.day
WHERE marts.gross_amount - marts.cancelled_amount IS DISTINCT FROM coalesce(lines.amount, 0)
