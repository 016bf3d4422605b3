{{
    config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day', on_schema_change='fail')
}}

-- A day is recomputed if it was loaded since the last build: correct for late, repeated and smaller loads.
WITH loads AS (
    SELECT
        partition_key::date AS day,
        max(load_id) AS load_id
    FROM {{ source('warehouse', 'load_log') }}
    WHERE dataset = 'sales_data'
    GROUP BY partition_key
)

SELECT
    loads.day,
    count(*) FILTER (WHERE NOT invoices.is_cancellation) AS invoices,
    count(*) FILTER (WHERE invoices.is_cancellation) AS cancellations,
    coalesce(sum(invoices.amount) FILTER (WHERE NOT invoices.is_cancellation), 0) AS gross_amount,
    coalesce(sum(-invoices.amount) FILTER (WHERE invoices.is_cancellation), 0) AS cancelled_amount,
    count(DISTINCT invoices.country) AS countries,
    loads.load_id
FROM loads
LEFT JOIN {{ ref('int_invoices') }} AS invoices ON loads.day = invoices.day
{% if is_incremental() %}
    WHERE
        NOT EXISTS (
            SELECT 1 FROM {{ this }} AS known
            WHERE known.day = loads.day AND known.load_id = loads.load_id
        )
{% endif %}
GROUP BY loads.day, loads.load_id
