"""What tests share: the sample scenario as histories, records to order, and models to judge against."""
