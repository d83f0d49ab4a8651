"""What a fine-tuned network makes of videos: the papers' protocol, figures and pictures, predictions."""
