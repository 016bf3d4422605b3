SELECT
    date_trunc('month', day)::date AS month,
    city,
    count(*) AS days,
    round(avg(temperature_celsius), 1) AS mean_celsius,
    min(temperature_celsius) AS coldest_celsius,
    max(temperature_celsius) AS warmest_celsius,
    count(*) FILTER (WHERE is_wet) AS wet_days
FROM {{ ref('stg_weather') }}
GROUP BY date_trunc('month', day), city
