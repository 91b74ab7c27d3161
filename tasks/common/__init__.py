"""What several families of tasks share."""
