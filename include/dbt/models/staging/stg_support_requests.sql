SELECT
    ticket_id,
    day,
    complaint_type,
    borough,
    status,
    created_at,
    closed_at,
    round((extract(EPOCH FROM closed_at - created_at) / 3600)::numeric, 2) AS hours_to_close
FROM {{ source('warehouse', 'support_data') }}
