"""What keeps one provider's trouble, or one lane's crowd, from becoming everybody's."""
