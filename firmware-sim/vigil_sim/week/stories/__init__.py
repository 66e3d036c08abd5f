"""What happens in the week, one file per subject: each schedules itself on the stage."""
