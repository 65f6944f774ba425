"""The operational store: tables, migrations, repositories and blobs. It knows nothing of rendering."""
