public import Model

extension History {
    /// The traits a profile has as of an instant, by key in the order of the bytes: of each key the last row not later
    /// than the instant; removed ones are left out.
    public func traits(
        of profile: [ProfileOrdinal], at now: Instant, receivedUpTo: Instant = .distantFuture
    ) -> [TraitRow] {
        var numbers: Set<UInt32> = []
        for ordinal in profile {
            for index in [profiles, frozenProfiles] where ordinal.rawValue < index.count {
                for entry in index[Int(ordinal.rawValue)].traits { numbers.insert(ProfileIndex.table(entry)) }
            }
        }
        for table in traits.tables where !table.runs.isEmpty { numbers.insert(table.number) }
        return numbers.compactMap { trait(TraitID($0), of: profile, at: now, receivedUpTo: receivedUpTo) }
            .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// The value of one trait as of an instant; `nil` where it was never set or is removed. Calls that were received
    /// after `receivedUpTo` are left out.
    public func trait(
        _ id: TraitID, of profile: [ProfileOrdinal], at now: Instant, receivedUpTo: Instant = .distantFuture
    ) -> TraitRow? {
        let rows = rows(id, of: profile)
        var end = rows.firstIndex(from: now.milliseconds + 1)
        while end > 0, rows.table.receivedAt(rows[end - 1]) > receivedUpTo.milliseconds { end -= 1 }
        guard end > 0 else { return nil }
        let row = rows[end - 1]
        let cell = rows.table.cell(.value, column: ColumnTree.root, row: row)
        guard !cell.isNull else { return nil }
        return TraitRow(
            id: id, key: traitKey(id), value: store.json(cell),
            timestamp: Instant(milliseconds: rows.table.timestamp(row)),
            sourceID: store.text(rows.table.source(row)), messageID: rows.table.messageID(row))
    }

    /// The events of a profile, newest first; for the next page pass the last entry of the one before.
    public func timeline(
        of profile: [ProfileOrdinal], upTo now: Instant = .distantFuture, after last: TimelineEntry? = nil, limit: Int
    ) -> [TimelineEntry] {
        // One sequence per ordinal and name, each with the end of what is still to come.
        var runs: [(rows: RowSequence, event: EventID, end: Int)] = []
        for ordinal in profile {
            for number in eventNumbers(of: ordinal) {
                let rows = rows(EventID(number), of: [ordinal])
                var end = rows.firstIndex(from: now.milliseconds + 1)
                if let last { end = min(end, History.end(of: rows, before: last)) }
                if end > 0 { runs.append((rows, EventID(number), end)) }
            }
        }
        var page: [TimelineEntry] = []
        while page.count < limit {
            var newest: Int?
            for index in runs.indices where runs[index].end > 0 {
                guard let current = newest else {
                    newest = index
                    continue
                }
                let (left, right) = (runs[current], runs[index])
                if left.rows.table.precedes(left.rows[left.end - 1], right.rows.table, right.rows[right.end - 1]) {
                    newest = index
                }
            }
            guard let newest else { break }
            runs[newest].end -= 1
            page.append(timelineEntry(runs[newest].event, runs[newest].rows[runs[newest].end]))
        }
        return page
    }

    /// Event names of which a profile may have rows, ascending.
    private func eventNumbers(of profile: ProfileOrdinal) -> [UInt32] {
        var numbers: [UInt32] = []
        for index in [profiles, frozenProfiles] where profile.rawValue < index.count {
            for entry in index[Int(profile.rawValue)].events where numbers.last != ProfileIndex.table(entry) {
                numbers.append(ProfileIndex.table(entry))
            }
        }
        for table in events.tables where !table.runs.isEmpty { numbers.append(table.number) }
        return Set(numbers).sorted()
    }

    private func timelineEntry(_ id: EventID, _ row: Table.Row) -> TimelineEntry {
        let table = table(id)
        return TimelineEntry(
            event: id, name: eventName(id), timestamp: Instant(milliseconds: table.timestamp(row)),
            receivedAt: Instant(milliseconds: table.receivedAt(row)), messageID: table.messageID(row),
            sourceID: store.text(table.source(row)), offset: table.offset(row))
    }

    /// How many rows stand before an entry in the order of time.
    private static func end(of rows: RowSequence, before entry: TimelineEntry) -> Int {
        var end = rows.firstIndex(from: entry.timestamp.milliseconds + 1)
        while end > 0 {
            let row = rows[end - 1]
            let table = rows.table
            guard table.timestamp(row) == entry.timestamp.milliseconds else { break }
            let received = table.receivedAt(row)
            if received < entry.receivedAt.milliseconds { break }
            if received == entry.receivedAt.milliseconds {
                let id = table.messageID(row)
                if id.utf8.lexicographicallyPrecedes(entry.messageID.utf8) { break }
                if id.utf8.elementsEqual(entry.messageID.utf8), table.offset(row) < entry.offset { break }
            }
            end -= 1
        }
        return end
    }

    // MARK: Catalogue

    /// Every event name with what was seen of it, most frequent first.
    public var eventCatalogue: [EventCatalogueEntry] {
        events.tables.enumerated().compactMap { number, table in
            let count = table.keptCount
            guard count > 0 else { return nil }
            return EventCatalogueEntry(
                id: EventID(UInt32(number)), name: store.text(table.name), count: count,
                firstSeen: Instant(milliseconds: max(table.firstSeen, table.floor)),
                lastSeen: Instant(milliseconds: table.lastSeen),
                properties: paths(table.values, rows: count), context: paths(table.context, rows: count))
        }
        .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    }

    /// Every trait key with what was seen of it, by key in the order of the bytes.
    public var traitCatalogue: [TraitCatalogueEntry] {
        traits.tables.enumerated().filter { $0.element.liveCount > 0 }.map { number, table in
            TraitCatalogueEntry(
                id: TraitID(UInt32(number)), key: store.text(table.name), count: table.liveCount,
                firstSeen: Instant(milliseconds: table.firstSeen), lastSeen: Instant(milliseconds: table.lastSeen),
                paths: paths(table.values))
        }
        .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// - Parameter rows: How many there are. Cells of expired ones are counted as long as they are on disk.
    private func paths(_ tree: ColumnTree, rows: Int = .max) -> [PathCatalogueEntry] {
        tree.columns.enumerated().filter { $0.element.count > 0 }.map { number, column in
            PathCatalogueEntry(
                path: tree.path(number, in: store.values.strings), count: min(column.count, rows), types: column.types,
                samples: column.samples.map(store.json))
        }
        .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    public var statistics: HistoryStatistics {
        var statistics = HistoryStatistics()
        for table in events.tables {
            let count = table.keptCount
            guard count > 0 else { continue }
            statistics.events += count
            statistics.eventNames += 1
            statistics.valuesOverPathLimit += table.valuesOverPathLimit
            if table.valuesOverPathLimit > 0 {
                statistics.eventNamesAtPathLimit.append(store.text(table.name))
            }
        }
        for table in traits.tables where table.liveCount > 0 {
            statistics.traits += table.liveCount
            statistics.traitKeys += 1
            statistics.valuesOverPathLimit += table.valuesOverPathLimit
            if table.valuesOverPathLimit > 0 {
                statistics.traitKeysAtPathLimit.append(store.text(table.name))
            }
        }
        statistics.tooOld = tooOld
        statistics.movedToReceipt = movedToReceipt
        statistics.unreadable = unreadable
        return statistics
    }
}
