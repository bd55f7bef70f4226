"""The chapter's layers: attention, and what stands around it; torch alone."""
