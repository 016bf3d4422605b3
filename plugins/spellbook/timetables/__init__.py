"""Timetables that cron can't express."""
