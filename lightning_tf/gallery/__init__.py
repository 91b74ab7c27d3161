"""The gallery: the experiments of the courses, one command and its images each."""
