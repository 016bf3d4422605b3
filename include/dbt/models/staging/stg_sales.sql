SELECT
    day,
    invoice_no,
    stock_code,
    quantity,
    unit_price,
    quantity * unit_price AS amount,
    invoice_no LIKE 'C%' AS is_cancellation,
    customer_id,
    country
FROM {{ source('warehouse', 'sales_data') }}
