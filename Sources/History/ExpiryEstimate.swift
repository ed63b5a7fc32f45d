public import Model

/// What floors would take, found out without touching the History: times are read, values are not.
public struct ExpiryEstimate: Sendable {
    /// Of one event name.
    public struct Part: Sendable, Hashable {
        public let event: String
        /// Events that would go, of `total`.
        public var events = 0
        public var total = 0
        /// What they take in the history's files, about; texts are not counted.
        public var bytes = 0
        /// One bit per profile that would lose some.
        public var profiles: [UInt64] = []
    }

    private let tables: [(name: String, floor: Int64, rows: TableSnapshot)]

    init(_ history: History, _ floors: EventFloors) {
        tables = history.events.tables.filter { $0.liveCount > 0 }.map { table in
            let name = history.store.text(table.name)
            return (name, max(floors[name].milliseconds, table.floor), table.snapshot())
        }
    }

    /// Counts, which takes about as long as reading all times of what holds both. `nil` if a file is damaged. Names that
    /// have no event left are not told.
    public func run() -> [Part]? {
        var parts: [Part] = []
        for (name, floor, rows) in tables {
            var part = Part(event: name)
            for run in rows.runs() {
                guard run.isSound else { return nil }
                part.add(run, below: floor)
            }
            if part.total > 0 { parts.append(part) }
        }
        return parts
    }
}

extension ExpiryEstimate.Part {
    fileprivate init(event name: String) { event = name }

    fileprivate mutating func add(_ run: Run, below floor: Int64) {
        var gone = 0
        for (place, profile) in run.profiles.enumerated() where !run.removed.contains(profile) {
            let rows = run.keptRows(Int(run.starts[place])..<Int(run.starts[place + 1]))
            total += rows.count
            guard run.earliest < floor, !rows.isEmpty, run.timestamps[rows.lowerBound] < floor else { continue }
            gone += rows.count - run.rows(rows, from: floor).count
            let word = Int(profile / 64)
            if word >= profiles.count {
                profiles += Array(repeating: 0, count: max(word + 1, profiles.count * 2) - profiles.count)
            }
            profiles[word] |= 1 << UInt64(profile % 64)
        }
        events += gone
        bytes += Int(Double(run.byteCount) * Double(gone) / Double(run.rowCount))
    }
}

extension Run {
    /// What the run takes on disk.
    fileprivate var byteCount: Int {
        descriptor.core.length + descriptor.envelope.length + descriptor.identifiers.length
            + descriptor.columns.reduce(0) { $0 + $1.place.length }
    }
}

extension History {
    /// What would go if floors rose to these.
    public func expiryEstimate(_ floors: EventFloors) -> ExpiryEstimate { ExpiryEstimate(self, floors) }
}
