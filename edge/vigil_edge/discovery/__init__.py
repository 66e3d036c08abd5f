"""What a gateway finds where devices may be, before anybody has configured them."""
