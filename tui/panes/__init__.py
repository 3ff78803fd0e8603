"""What stands in the lists and in the detail of the object under the cursor."""
