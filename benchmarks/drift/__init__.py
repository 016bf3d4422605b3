"""False alarms, power and delay of the drift monitoring, and the error of the estimated accuracy."""
