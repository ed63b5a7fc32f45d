public import JSON
public import Model

extension History {
    /// Adds a track, page or screen call to the history of a profile.
    ///
    /// Properties stand under their dotted paths. The name of a page or screen is found as `name` and as `page_name` or
    /// `screen_name` too (spec: engage §0.3).
    /// - Parameter body: `call.body`, parsed.
    public func insertEvent(_ call: Call, body: JSONValue, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        guard let name = call.eventName else {
            return HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp)
        }
        var change = place(call, body)
        guard change.outcome == .inserted else { return change }
        let id = eventID(name)
        let table = table(id)
        let row = append(call, to: table, placedAt: change.placedAt, offset: offset, profile: profile)
        let properties = History.properties(of: call, body)
        table.write(.value, row: row) {
            $0.write(members: properties, column: ColumnTree.root, row: row, store: store)
        }
        if let context = body["context"]?.object {
            table.write(.context, row: row) {
                $0.write(members: context, column: ColumnTree.root, row: row, store: store)
            }
        }
        ProfileIndex.insert(row: row, of: id.rawValue, table, into: &profiles[Int(profile.rawValue)].events)
        change.event = id
        return change
    }

    /// Adds a row per top-level key of the call's `traits` to a profile: for identify calls the person's, for group
    /// calls the account's. A null value is a removal (spec: collection §4.8).
    public func insertTraits(_ call: Call, body: JSONValue, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        guard call.kind == .identify || call.kind == .group, let traits = body["traits"]?.object, !traits.isEmpty
        else { return HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp) }
        var change = place(call, body)
        guard change.outcome == .inserted else { return change }
        for (key, value) in traits.members {
            let id = traitID(key)
            let table = table(id)
            let row = append(call, to: table, placedAt: change.placedAt, offset: offset, profile: profile)
            table.write(.value, row: row) {
                $0.write(value, column: ColumnTree.root, row: row, store: store)
            }
            ProfileIndex.insert(row: row, of: id.rawValue, table, into: &profiles[Int(profile.rawValue)].traits)
            change.traits.append(id)
        }
        return change
    }

    /// Forgets the rows of a profile: nothing finds them any more, and their values are overwritten. Texts that were kept
    /// once for everybody go when History is rebuilt.
    public func remove(_ profile: ProfileOrdinal) {
        guard profile.rawValue < profiles.count else { return }
        let index = profiles[Int(profile.rawValue)]
        profiles[Int(profile.rawValue)] = ProfileIndex()
        for entry in index.events {
            events.tables[Int(ProfileIndex.table(entry))].scrub(row: ProfileIndex.row(entry))
        }
        for entry in index.traits {
            traits.tables[Int(ProfileIndex.table(entry))].scrub(row: ProfileIndex.row(entry))
        }
    }

    private func place(_ call: Call, _ body: JSONValue) -> HistoryChange {
        guard case .object = body else {
            unreadable += 1
            return HistoryChange(outcome: .unreadable, placedAt: call.timestamp)
        }
        guard call.timestamp >= .epoch else {
            tooOld += 1
            return HistoryChange(outcome: .tooOld, placedAt: call.timestamp)
        }
        guard call.timestamp - call.receivedAt <= .hours(24) else {
            movedToReceipt += 1
            return HistoryChange(outcome: .inserted, placedAt: call.receivedAt)
        }
        return HistoryChange(outcome: .inserted, placedAt: call.timestamp)
    }

    private func append(
        _ call: Call, to table: Table, placedAt: Instant, offset: Int64, profile: ProfileOrdinal
    ) -> Table.Row {
        while profiles.count <= Int(profile.rawValue) { profiles.append(ProfileIndex()) }
        return table.append(
            Table.Envelope(
                timestamp: placedAt.milliseconds, receivedAt: call.receivedAt.milliseconds, offset: offset,
                profile: profile, kind: call.kind, source: store.intern(call.sourceID),
                messageID: store.reference(messageID: call.messageID, offset: offset)))
    }

    private static func properties(of call: Call, _ body: JSONValue) -> JSONObject {
        var properties = body["properties"]?.object ?? JSONObject()
        let alias: String
        switch call.kind {
        case .page: alias = "page_name"
        case .screen: alias = "screen_name"
        default: return properties
        }
        func name(_ value: JSONValue?) -> JSONValue? { value?.string.flatMap { $0.isEmpty ? nil : .string($0) } }
        guard let name = name(body["name"]) ?? name(properties["name"]) else { return properties }
        if properties[alias] == nil { properties[alias] = name }
        if properties["name"] == nil { properties["name"] = name }
        return properties
    }
}
