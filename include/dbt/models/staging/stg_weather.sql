SELECT
    date AS day,
    city,
    round(((temperature - 32) / 1.8)::numeric, 1) AS temperature_celsius,
    conditions,
    conditions IN (
        'Drizzle', 'Freezing drizzle', 'Rain', 'Rain showers', 'Freezing rain', 'Sleet', 'Snow', 'Snow showers',
        'Thunderstorm', 'Thunderstorm with hail'
    ) AS is_wet
FROM {{ source('warehouse', 'weather_data') }}
