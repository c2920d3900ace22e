"""What a network can be taught before it sees the task: one file per objective."""
