"""Networks and datasets on their way to others: exports to other libraries, and the Hugging Face Hub."""
