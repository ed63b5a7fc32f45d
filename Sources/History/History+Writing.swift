public import JSON
public import Model

extension History {
    /// Adds a track, page or screen call to the history of a profile.
    ///
    /// Properties stand under their dotted paths. The name of a page or screen is found as `name` and as `page_name` or
    /// `screen_name` too (spec: engage §0.3).
    /// - Parameter body: `call.body`, parsed.
    public func insertEvent(_ call: Call, body: JSONView, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        guard let name = call.eventName else {
            return HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp)
        }
        var change = place(call, body)
        guard change.outcome == .inserted else { return change }
        let id = eventID(name)
        let table = table(id)
        guard change.placedAt.milliseconds >= table.floor else {
            change.outcome = .expired
            return change
        }
        let row = append(call, to: table, placedAt: change.placedAt, offset: offset, profile: profile)
        write(body, .value, of: table, row) { body, tree, findings in
            if let properties = body["properties"], properties.kind == .object {
                tree.write(members: properties, column: ColumnTree.root, row: row, store: &self.store.values, &findings)
            }
            if call.kind != .track { self.writeName(body, of: call, &tree, row: row, &findings) }
        }
        if let context = body["context"], context.kind == .object {
            write(context, .context, of: table, row) { context, tree, findings in
                tree.write(members: context, column: ColumnTree.root, row: row, store: &self.store.values, &findings)
            }
        }
        ProfileIndex.insert(row: row, of: id.rawValue, table, into: &profiles[Int(profile.rawValue)].events)
        unions.insert(row: row, table, profile: profile)
        change.event = id
        return change
    }

    /// Adds a row per top-level key of the call's `traits` to a profile: for identify calls the person's, for group
    /// calls the account's. A null value is a removal (spec: collection §4.8).
    public func insertTraits(_ call: Call, body: JSONView, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        guard call.kind == .identify || call.kind == .group, let traits = body["traits"], traits.kind == .object else {
            return HistoryChange(outcome: .nothingToInsert, placedAt: call.timestamp)
        }
        var change = place(call, body)
        guard change.outcome == .inserted else { return change }
        // A repeated key counts once, with its last value.
        var places: [TraitID: Int] = [:]
        var values: [JSONView] = []
        for (key, value) in traits.members {
            guard let code = key.withText({ store.values.strings.intern($0) }) else { continue }
            let id = TraitID(self.traits.number(code, store))
            if let place = places[id] {
                values[place] = value
            } else {
                places[id] = values.count
                values.append(value)
                change.traits.append(id)
            }
        }
        if values.isEmpty { change.outcome = .nothingToInsert }
        for (id, value) in zip(change.traits, values) {
            let table = table(id)
            let row = append(call, to: table, placedAt: change.placedAt, offset: offset, profile: profile)
            write(value, .value, of: table, row) { value, tree, findings in
                tree.write(value, column: ColumnTree.root, row: row, store: &self.store.values, &findings)
            }
            ProfileIndex.insert(row: row, of: id.rawValue, table, into: &profiles[Int(profile.rawValue)].traits)
            unions.insert(row: row, table, profile: profile)
        }
        return change
    }

    /// Forgets the rows of a profile: nothing finds them any more, and their values are overwritten. Texts that were kept
    /// once for everybody go when History is rebuilt.
    public func remove(_ profile: ProfileOrdinal) {
        unions.forget(profile)
        forgetMemo()
        var hadFreshRows = false
        if profile.rawValue < profiles.count {
            let index = profiles[Int(profile.rawValue)]
            profiles[Int(profile.rawValue)] = ProfileIndex()
            hadFreshRows = !index.events.isEmpty || !index.traits.isEmpty
            for entry in index.events {
                events.tables[Int(ProfileIndex.table(entry))].scrub(row: ProfileIndex.row(entry))
            }
            for entry in index.traits {
                traits.tables[Int(ProfileIndex.table(entry))].scrub(row: ProfileIndex.row(entry))
            }
        }
        removeOlder(profile.rawValue, hadFreshRows: hadFreshRows)
    }

    /// Writes below a root of a row. Where an object has a name twice, everything below the root is written again from a
    /// text in which each name stands once, with its last value.
    private func write(
        _ view: JSONView, _ root: Table.Root, of table: Table, _ row: Table.Row,
        _ body: (JSONGlance, inout ColumnTree, inout ColumnTree.Findings) -> Void
    ) {
        table.write(root, row: row) { tree, findings in
            view.withGlance { body($0, &tree, &findings) }
            guard findings.hasRepeatedName, let cleaned = try? JSONDocument(parsing: JSONValue(view).utf8) else {
                return
            }
            tree.scrub(row: row)
            findings = ColumnTree.Findings()
            cleaned.root.withGlance { body($0, &tree, &findings) }
        }
    }

    private func place(_ call: Call, _ body: JSONView) -> HistoryChange {
        guard body.kind == .object else {
            unreadable += 1
            return HistoryChange(outcome: .unreadable, placedAt: call.timestamp)
        }
        guard call.timestamp >= .epoch else {
            tooOld += 1
            return HistoryChange(outcome: .tooOld, placedAt: call.timestamp)
        }
        let placedAt = call.placedAt
        if placedAt != call.timestamp { movedToReceipt += 1 }
        return HistoryChange(outcome: .inserted, placedAt: placedAt)
    }

    private func append(
        _ call: Call, to table: Table, placedAt: Instant, offset: Int64, profile: ProfileOrdinal
    ) -> Table.Row {
        while profiles.count <= Int(profile.rawValue) { profiles.append(ProfileIndex()) }
        freshRows += 1
        forgetMemo()
        return table.append(
            Table.Envelope(
                timestamp: placedAt.milliseconds, receivedAt: call.receivedAt.milliseconds, offset: offset,
                profile: profile, kind: call.kind, source: store.values.strings.intern(call.sourceID),
                messageID: store.reference(messageID: call.messageID, offset: offset)))
    }

    /// The name of a page or screen, also where it came outside of the properties.
    private func writeName(
        _ body: JSONGlance, of call: Call, _ tree: inout ColumnTree, row: Table.Row,
        _ findings: inout ColumnTree.Findings
    ) {
        func text(_ value: JSONGlance?) -> JSONGlance? { value?.withText { !$0.isEmpty } == true ? value : nil }
        let properties = body["properties"]
        guard let name = text(body["name"]) ?? text(properties?["name"]) else { return }
        let alias: StaticString = call.kind == .page ? "page_name" : "screen_name"
        for key in ["name", alias] where properties?[key] == nil {
            tree.write(name, name: key, row: row, store: &store.values, &findings)
        }
    }
}
