SELECT
    day,
    invoice_no,
    is_cancellation,
    min(country) AS country,
    count(*) AS lines,
    sum(amount) AS amount
FROM {{ ref('stg_sales') }}
GROUP BY day, invoice_no, is_cancellation
