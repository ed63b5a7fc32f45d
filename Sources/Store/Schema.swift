import GRDB

/// The schema of `state.sqlite` as numbered migrations. A released migration is never edited.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 engine") { try $0.execute(sql: engine) }
        migrator.registerMigration("2 identity") { try $0.execute(sql: identity) }
        migrator.registerMigration("3 delivery") { try $0.execute(sql: delivery) }
        migrator.registerMigration("4 economy of delivery") { try $0.execute(sql: economy) }
        migrator.registerMigration("5 regulations") { try $0.execute(sql: regulations) }
        migrator.registerMigration("dense records of attempts") { try AttemptRecord.replaceRows($0) }
        migrator.registerMigration("6 journal and runs") { try PackingMigration(db: $0).run() }
        return migrator
    }

    private static let regulations = """
        CREATE TABLE regulations (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL,
            is_finished INTEGER NOT NULL);
        CREATE INDEX open_regulations ON regulations (number) WHERE is_finished = 0;
        CREATE TABLE suppressions (user_id TEXT PRIMARY KEY) WITHOUT ROWID;
        """

    // Computations and destinations have numbers that are never reused: rows refer to them in a few bytes, and what a
    // deleted one leaves behind can be purged later, in small steps.
    private static let engine = """
        CREATE TABLE progress (
            id INTEGER PRIMARY KEY CHECK (id = 0), position INTEGER NOT NULL, engine_now INTEGER);
        INSERT INTO progress VALUES (0, 0, NULL);
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

        CREATE TABLE sources (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL);
        CREATE TABLE destinations (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL);
        CREATE TABLE computations (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL);
        CREATE TABLE deleted_computations (number INTEGER PRIMARY KEY);
        CREATE TABLE deleted_destinations (number INTEGER PRIMARY KEY);

        CREATE TABLE backfills (
            computation INTEGER PRIMARY KEY, as_of INTEGER NOT NULL, next_ordinal INTEGER NOT NULL,
            end_ordinal INTEGER NOT NULL, finished INTEGER NOT NULL);
        CREATE TABLE computed_values (
            computation INTEGER NOT NULL, ordinal INTEGER NOT NULL, value TEXT NOT NULL, changed_at INTEGER NOT NULL,
            transition_number INTEGER NOT NULL, emitted_ids INTEGER NOT NULL,
            PRIMARY KEY (computation, ordinal)) WITHOUT ROWID;
        CREATE TABLE transitions (
            id INTEGER PRIMARY KEY, computation INTEGER NOT NULL, ordinal INTEGER NOT NULL, value TEXT NOT NULL,
            at INTEGER NOT NULL, log_offset INTEGER NOT NULL, cause TEXT NOT NULL);
        CREATE INDEX transitions_of_profile ON transitions (ordinal);
        CREATE INDEX transitions_of_computation ON transitions (computation);
        CREATE TABLE wakeups (
            computation INTEGER NOT NULL, ordinal INTEGER NOT NULL, due INTEGER NOT NULL,
            PRIMARY KEY (computation, ordinal)) WITHOUT ROWID;
        CREATE TABLE applied (
            first_offset INTEGER PRIMARY KEY, count INTEGER NOT NULL, received_at INTEGER NOT NULL,
            message_hashes BLOB NOT NULL, ordinals BLOB NOT NULL);
        """

    // Mappings and links keep the number they were made under; `merged_into` names today's canonical profile.
    private static let identity = """
        CREATE TABLE profiles (
            ordinal INTEGER PRIMARY KEY, collection TEXT NOT NULL, segment_id TEXT NOT NULL UNIQUE,
            created_at INTEGER NOT NULL, first_message_id TEXT NOT NULL, first_source_id TEXT NOT NULL,
            merged_into INTEGER);
        CREATE INDEX merged_profiles ON profiles (merged_into) WHERE merged_into IS NOT NULL;
        CREATE TABLE activity (
            ordinal INTEGER PRIMARY KEY, updated_at INTEGER NOT NULL, last_message_id TEXT NOT NULL,
            last_source_id TEXT NOT NULL);
        CREATE TABLE identifiers (
            sequence INTEGER PRIMARY KEY, collection TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,
            owner INTEGER NOT NULL, created_at INTEGER NOT NULL, source_id TEXT NOT NULL,
            first_message_id TEXT NOT NULL, UNIQUE (value, type, collection));
        CREATE INDEX identifiers_of_profile ON identifiers (owner);
        CREATE TABLE links (
            user INTEGER NOT NULL, account INTEGER NOT NULL, created_at INTEGER NOT NULL,
            PRIMARY KEY (user, account)) WITHOUT ROWID;
        CREATE INDEX links_of_account ON links (account);
        CREATE TABLE merges (
            absorbed INTEGER PRIMARY KEY, survivor INTEGER NOT NULL, at INTEGER NOT NULL, log_offset INTEGER NOT NULL,
            message_id TEXT NOT NULL);
        CREATE INDEX merges_of_survivor ON merges (survivor);
        CREATE TABLE identity_issues (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, collection TEXT, type TEXT, value TEXT,
            ordinal INTEGER, at INTEGER NOT NULL, log_offset INTEGER NOT NULL, message_id TEXT NOT NULL,
            source_id TEXT NOT NULL);
        """

    private static let delivery = """
        CREATE TABLE outbox (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT, destination INTEGER NOT NULL, ordinal INTEGER NOT NULL,
            computation_id TEXT NOT NULL, computation_key TEXT NOT NULL, kind TEXT NOT NULL,
            message_id TEXT NOT NULL, at INTEGER NOT NULL, payload TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0, parked_reason TEXT, parked_at INTEGER,
            UNIQUE (message_id, destination, kind));
        CREATE INDEX outbox_waiting ON outbox (destination) WHERE parked_reason IS NULL;
        CREATE INDEX outbox_parked ON outbox (destination) WHERE parked_reason IS NOT NULL;
        CREATE INDEX outbox_of_profile ON outbox (ordinal);

        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY AUTOINCREMENT, destination INTEGER NOT NULL, at INTEGER NOT NULL,
            endpoint TEXT NOT NULL, request TEXT, status INTEGER, response TEXT, duration_ms INTEGER NOT NULL,
            object_count INTEGER NOT NULL, outcome TEXT NOT NULL);
        CREATE INDEX attempts_of_destination ON attempts (destination);
        CREATE INDEX attempts_with_body ON attempts (id) WHERE request IS NOT NULL OR response IS NOT NULL;
        CREATE TABLE attempt_emissions (
            id INTEGER PRIMARY KEY AUTOINCREMENT, attempt INTEGER NOT NULL, destination INTEGER NOT NULL,
            message_id TEXT NOT NULL, ordinal INTEGER NOT NULL, computation_id TEXT NOT NULL, kind TEXT NOT NULL,
            at INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL);
        CREATE INDEX emissions_of_attempt ON attempt_emissions (attempt);
        CREATE INDEX emissions_of_profile ON attempt_emissions (ordinal);
        CREATE INDEX emissions_of_computation ON attempt_emissions (computation_id);

        CREATE TABLE ledger (
            destination INTEGER NOT NULL, external_id TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (destination, external_id, attribute)) WITHOUT ROWID;
        CREATE TABLE destination_status (
            destination INTEGER PRIMARY KEY, paused_reason TEXT NOT NULL, since INTEGER NOT NULL);
        CREATE TABLE destination_counts (
            destination INTEGER PRIMARY KEY, delivered INTEGER NOT NULL DEFAULT 0,
            coalesced INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0,
            discarded INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
            failed_attempts INTEGER NOT NULL DEFAULT 0);
        """

    // Days and hours count from the epoch, in UTC.
    private static let economy = """
        ALTER TABLE outbox ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE destination_counts ADD COLUMN unknown_outcomes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE destination_counts ADD COLUMN possible_duplicates INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE data_points (
            destination INTEGER NOT NULL, computation_id TEXT NOT NULL, day INTEGER NOT NULL, points INTEGER NOT NULL,
            PRIMARY KEY (destination, computation_id, day)) WITHOUT ROWID;
        CREATE TABLE change_counts (
            destination INTEGER NOT NULL, computation_id TEXT NOT NULL, hour INTEGER NOT NULL,
            changes INTEGER NOT NULL, PRIMARY KEY (destination, computation_id, hour)) WITHOUT ROWID;
        CREATE TABLE spikes (
            destination INTEGER NOT NULL, computation_id TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
            since INTEGER NOT NULL, PRIMARY KEY (destination, computation_id)) WITHOUT ROWID;
        """
}
