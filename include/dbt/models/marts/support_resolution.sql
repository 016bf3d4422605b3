SELECT
    date_trunc('month', day)::date AS month,
    borough,
    complaint_type,
    count(*) AS requests,
    count(closed_at) AS closed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY hours_to_close) AS median_hours_to_close
FROM {{ ref('stg_support_requests') }}
GROUP BY date_trunc('month', day), borough, complaint_type
