"""A page of HTML about one run or several; needs no TensorFlow."""
