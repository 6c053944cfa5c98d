"""The visitor's side of a widget: the snippet, the frame, and the few requests a visitor can make."""
