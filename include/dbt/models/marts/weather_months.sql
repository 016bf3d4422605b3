WITH lacking AS ({{ missing_days('weather_data') }})

SELECT
    date_trunc('month', weather.day)::date AS month,
    weather.city,
    count(*) AS days,
    round(avg(weather.temperature_celsius), 1) AS mean_celsius,
    min(weather.temperature_celsius) AS coldest_celsius,
    max(weather.temperature_celsius) AS warmest_celsius,
    count(*) FILTER (WHERE weather.is_wet) AS wet_days,
    lacking.missing_days
FROM {{ ref('stg_weather') }} AS weather
LEFT JOIN lacking ON date_trunc('month', weather.day)::date = lacking.month
GROUP BY date_trunc('month', weather.day), weather.city, lacking.missing_days
