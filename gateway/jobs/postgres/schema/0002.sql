-- The server whose transaction numbers the feed has. A dump that is restored into another server brings numbers that mean
-- nothing there. '': not known, or one that has them no more.
ALTER TABLE feed_pruned ADD COLUMN server text NOT NULL DEFAULT '';
UPDATE feed_pruned SET server = (SELECT system_identifier::text FROM pg_control_system())
	WHERE xid < pg_snapshot_xmax(pg_current_snapshot())
	AND NOT EXISTS (SELECT FROM feed WHERE feed.xid >= pg_snapshot_xmax(pg_current_snapshot()));
