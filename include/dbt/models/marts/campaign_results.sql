SELECT
    job,
    contact,
    count(*) AS calls,
    count(*) FILTER (WHERE has_subscribed) AS subscriptions,
    round(count(*) FILTER (WHERE has_subscribed) / count(*)::numeric, 4) AS subscription_rate,
    count(*) FILTER (WHERE days_since_contact IS NOT NULL) AS known_customers,
    round(avg(duration_seconds), 1) AS mean_duration_seconds
FROM {{ ref('stg_marketing_calls') }}
GROUP BY job, contact
