"""Schedules that cron can not say."""
