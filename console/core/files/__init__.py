"""The text of files people bring. What cannot be read is told by one word, which each face puts into a sentence."""
