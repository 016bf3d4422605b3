"""customer_report: what each customer bought on a day."""
