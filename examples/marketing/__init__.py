"""An agent plans a campaign, has each section written, and stores the pieces; a copywriter asks for tweaks in chat."""
