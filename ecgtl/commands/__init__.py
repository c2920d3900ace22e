"""What each command of ``commands.yml`` does. A module is imported when one of its commands is chosen."""
