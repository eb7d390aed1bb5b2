"""Date and time formats of pages and emails; times include the time zone's abbreviation."""

DATE_FORMAT = "M j, Y"
SHORT_DATE_FORMAT = "M j, Y"
TIME_FORMAT = "H:i T"
DATETIME_FORMAT = "M j, Y, H:i T"
SHORT_DATETIME_FORMAT = "M j, Y, H:i T"
MONTH_DAY_FORMAT = "M j"
