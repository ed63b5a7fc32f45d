public import Model

// Events that expire: from the moment that floors rise nothing shows them; files and memory let go of them afterwards.

extension History {
    /// The timestamps before which nothing is shown.
    public var floors: EventFloors { events.floors }

    /// Hides every event before its name's floor, and lets nothing in there from now on. Floors that are lower than those
    /// before change nothing: what has expired does not come back.
    public func raiseFloors(to floors: EventFloors) {
        let raised = self.floors.raised(to: floors)
        guard raised != self.floors else { return }
        forgetMemo()
        unions.forgetAll()
        let before = events.tables.map(\.floor)
        events.raiseFloors(to: raised, store)
        var expiredFresh = 0
        for (table, floor) in zip(events.tables, before) where table.floor > floor {
            table.setRuns(table.runs)
            let fresh = History.expire(in: table, table.timestamps, of: table.profiles, &profiles)
            for row in fresh { table.scrub(row: row) }
            expiredFresh += fresh.count
            if let frozen = table.frozen {
                _ = History.expire(in: table, frozen.timestamps, of: frozen.profiles, &frozenProfiles)
            }
            guard table.hasExpired else { continue }
            // They may be values of what has expired.
            table.values.forgetSamples()
            table.context.forgetSamples()
            disk?.manifest.metadata.forgetSamples(ofEvent: Int(table.number))
            disk?.frozen?.forgetSamples(ofEvent: Int(table.number))
        }
        guard disk != nil else { return compactIfWorthwhile() }
        disk?.manifest.floors = raised
        disk?.hasUnwrittenRemovals = true
        if expiredFresh > 0 {
            // Their texts go to the files with the next flush.
            disk?.hasFreshRemovals = true
            disk?.manifest.unsweptRows += expiredFresh
        }
    }

    /// Takes expired rows of a table out of an index of profiles; tells which.
    private static func expire(
        in table: Table, _ timestamps: ContiguousArray<Int64>, of owners: ContiguousArray<UInt32>,
        _ profiles: inout [ProfileIndex]
    ) -> [Table.Row] {
        var concerned: Set<UInt32> = []
        for row in timestamps.indices where timestamps[row] < table.floor { concerned.insert(owners[row]) }
        var expired: [Table.Row] = []
        for profile in concerned.map({ Int($0) }) where profile < profiles.count {
            let range = ProfileIndex.range(of: table.number, in: profiles[profile].events)
            let rows = profiles[profile].events[range].map { ProfileIndex.row($0) }
                .prefix { timestamps[$0] < table.floor }
            guard !rows.isEmpty else { continue }
            expired += rows
            profiles[profile].events.removeSubrange(range.prefix(rows.count))
        }
        return expired
    }

    /// Without files, rows that count no more take memory until they are a quarter of all.
    private func compactIfWorthwhile() {
        let tables = events.tables + traits.tables
        let rows = tables.reduce(0) { $0 + $1.freshCount }
        let scrubbed = tables.reduce(0) { $0 + $1.scrubbed.count }
        guard scrubbed > 0, scrubbed * 4 >= rows else { return }
        let eventRows = events.tables.map { $0.compact() }
        let traitRows = traits.tables.map { $0.compact() }
        func renumber(_ entries: inout [UInt64], _ rows: [[UInt32]]) {
            for index in entries.indices {
                let table = ProfileIndex.table(entries[index])
                let row = rows[Int(table)][ProfileIndex.row(entries[index])]
                entries[index] = ProfileIndex.entry(table: table, row: Int(row))
            }
        }
        for profile in profiles.indices {
            renumber(&profiles[profile].events, eventRows)
            renumber(&profiles[profile].traits, traitRows)
        }
        freshRows -= scrubbed
        // One call's rows share an id.
        let old = store.messageIDs
        store.dropMessageIDs()
        var references: [UInt64: UInt64] = [:]
        for table in tables {
            for row in table.messageIDs.indices {
                let reference = table.messageIDs[row]
                let moved = references[reference] ?? store.take(reference, from: old)
                references[reference] = moved
                table.messageIDs[row] = moved
            }
        }
    }
}

extension Table {
    /// Events that are shown. Of those that have expired and are still on disk it looks at the times when it is first
    /// asked after floors rose.
    var keptCount: Int {
        guard floor > .min, liveCount > 0 else { return liveCount }
        var hidden = runs.reduce(0) { $0 + $1.hiddenCount }
        if let frozen {
            for row in frozen.timestamps.indices
            where frozen.timestamps[row] < floor && !frozen.scrubbed.contains(UInt32(row))
                && !removedFromFrozen.contains(frozen.profiles[row])
            {
                hidden += 1
            }
        }
        return liveCount - hidden
    }

    /// Whether rows have expired that are still somewhere.
    fileprivate var hasExpired: Bool {
        runs.contains(where: \.holdsExpired) || !scrubbed.isEmpty
            || frozen?.timestamps.contains { $0 < floor } == true
    }

    /// Lets go of fresh rows that count no more; tells the new number of each other one.
    fileprivate func compact() -> [UInt32] {
        var numbers: [UInt32] = []
        numbers.reserveCapacity(freshCount)
        var kept: [Int] = []
        for row in 0..<freshCount {
            numbers.append(UInt32(kept.count))
            if !scrubbed.contains(UInt32(row)) { kept.append(row) }
        }
        guard kept.count < freshCount else { return numbers }
        timestamps = ContiguousArray(kept.map { timestamps[$0] })
        receipts = ContiguousArray(kept.map { receipts[$0] })
        offsets = ContiguousArray(kept.map { offsets[$0] })
        profiles = ContiguousArray(kept.map { profiles[$0] })
        kinds = ContiguousArray(kept.map { kinds[$0] })
        sources = ContiguousArray(kept.map { sources[$0] })
        messageIDs = ContiguousArray(kept.map { messageIDs[$0] })
        scrubbed = []
        values.keep(kept)
        context.keep(kept)
        freshRun = FreshRun()
        return numbers
    }
}

extension HistoryMetadata {
    mutating func forgetSamples(ofEvent table: Int) {
        if table < events.count { events[table].forgetSamples() }
    }
}
