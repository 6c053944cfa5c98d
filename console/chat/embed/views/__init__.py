"""The HTTP face of the widget for visitors and the sites they are on."""
