SELECT
    day,
    line,
    coalesce(job, 'unknown') AS job,
    contact,
    duration_seconds,
    nullif(days_since_contact, 999) AS days_since_contact,
    subscribed = 'yes' AS has_subscribed
FROM {{ source('warehouse', 'marketing_data') }}
