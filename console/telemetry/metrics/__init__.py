"""What is measured, by what it is about; each module returns families and nothing here keeps counts of its own."""
