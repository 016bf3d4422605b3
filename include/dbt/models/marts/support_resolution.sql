WITH lacking AS ({{ missing_days('support_data') }})

SELECT
    date_trunc('month', requests.day)::date AS month,
    requests.borough,
    requests.complaint_type,
    count(*) AS requests,
    count(requests.closed_at) AS closed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY requests.hours_to_close) AS median_hours_to_close,
    lacking.missing_days
FROM {{ ref('stg_support_requests') }} AS requests
LEFT JOIN lacking ON date_trunc('month', requests.day)::date = lacking.month
GROUP BY date_trunc('month', requests.day), requests.borough, requests.complaint_type, lacking.missing_days
