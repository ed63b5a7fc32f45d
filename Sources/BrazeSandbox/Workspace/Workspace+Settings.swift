import JSON

/// Changes made in a workspace's pages. The bodies were checked before they were journaled.
extension Workspace {
    func segment(_ id: String) -> Segment? { segments.first { $0.id == id } }

    func message(_ kind: Message.Kind, _ id: String) -> Message? { messages.first { $0.kind == kind && $0.id == id } }

    func cohort(_ partner: String, _ id: String) -> Cohort? { cohorts.first { $0.partner == partner && $0.id == id } }

    var describer: FilterDescriber {
        FilterDescriber(
            segmentName: { segment($0)?.name ?? $0 }, cohortName: { cohort($0, $1)?.name ?? $1 })
    }

    mutating func apply(_ setting: Operation.Setting, _ body: JSONObject, at now: EpochMilliseconds) {
        switch setting {
        case .attribute: applyAttribute(body, at: now)
        case .event: applyEvent(body, at: now)
        case .block:
            guard let id = body["external_id"]?.string else { return }
            if body["blocked"]?.bool == false { blockedIDs.remove(id) } else { blockedIDs.insert(id) }
        case .segment: applySegment(body, at: now)
        case .campaign: applyMessage(.campaign, body, at: now)
        case .canvas: applyMessage(.canvas, body, at: now)
        case .segmentSize:
            guard let id = body["id"]?.string, let index = segments.firstIndex(where: { $0.id == id }),
                let size = body["size"]?.integer, let day = body["day"]?.integer
            else { return }
            segments[index].record(size: size, day: day)
        case .send:
            guard let send = Send(body) else { return }
            sends.append(send)
            if sends.count > Send.kept { sends.removeFirst(sends.count - Send.kept) }
        case .workspace, .key, .switches, .partner, .reset: break
        }
    }

    private mutating func applyAttribute(_ body: JSONObject, at now: EpochMilliseconds) {
        guard let name = body["name"]?.string else { return }
        let number = attributes.register(name, at: now)
        attributes.update(number) { entry in
            if let type = body["type"] { entry.forced = type.string.flatMap(AttributeType.init(rawValue:)) }
            if let blocklisted = body["blocklisted"]?.bool { entry.isBlocklisted = blocklisted }
        }
        guard body["blocklisted"]?.bool == true else { return }
        archive { filter in
            if case .attribute(let attribute) = filter { attribute.name == name } else { false }
        }
    }

    private mutating func applyEvent(_ body: JSONObject, at now: EpochMilliseconds) {
        guard let name = body["name"]?.string else { return }
        let number = events.register(name, at: now)
        events.update(number) { entry in
            if let blocklisted = body["blocklisted"]?.bool { entry.isBlocklisted = blocklisted }
            if let properties = body["properties"]?.array { entry.enabledProperties = properties.compactMap(\.string) }
        }
        guard body["blocklisted"]?.bool == true else { return }
        archive { filter in
            switch filter {
            case .eventCount(name, _, _), .eventMoment(name, _, _, _), .eventInDays(name, _, _, _, _): true
            default: false
            }
        }
    }

    /// Blocklisted data archives what uses it (spec braze §2.2).
    private mutating func archive(using isUsed: (Filter) -> Bool) {
        for segment in segments where segment.definition.filters.contains(where: isUsed) { archiveSegment(segment.id) }
        for index in messages.indices where messages[index].filters.filters.contains(where: isUsed) {
            messages[index].isArchived = true
        }
    }

    /// Everything that stops working when a segment is archived (§5.6): segments that contain it, and the campaigns and
    /// Canvases that use any of them.
    func dependents(of id: String) -> (segments: [Segment], messages: [Message]) {
        var ids: Set<String> = [id]
        var found: [Segment] = []
        var isGrowing = true
        while isGrowing {
            let more = segments.filter { segment in
                !ids.contains(segment.id) && segment.definition.segmentIDs.contains { ids.contains($0) }
            }
            isGrowing = !more.isEmpty
            found += more
            ids.formUnion(more.map(\.id))
        }
        let users = messages.filter { message in
            (message.segmentIDs + message.filters.segmentIDs).contains { ids.contains($0) }
        }
        return (found, users)
    }

    private mutating func archiveSegment(_ id: String) {
        let dependents = dependents(of: id)
        let ids = Set([id] + dependents.segments.map(\.id))
        for index in segments.indices where ids.contains(segments[index].id) { segments[index].isArchived = true }
        let users = Set(dependents.messages.map(\.id))
        for index in messages.indices where users.contains(messages[index].id) { messages[index].isArchived = true }
    }

    /// The whole segment, or `{id, archived}`.
    private mutating func applySegment(_ body: JSONObject, at now: EpochMilliseconds) {
        guard let id = body["id"]?.string else { return }
        let index = segments.firstIndex { $0.id == id }
        guard body["name"] != nil else {
            guard let index, let isArchived = body["archived"]?.bool else { return }
            if isArchived { archiveSegment(id) } else { segments[index].isArchived = false }
            segments[index].updatedAt = now
            return
        }
        guard let segment = readSegment(body, at: now) else { return }
        if let index {
            var changed = segment
            changed.sizes = segments[index].sizes
            segments[index] = changed
        } else {
            segments.append(segment)
        }
    }

    /// A segment as ``Segment/json`` prints it; `nil` where it is none.
    func readSegment(_ body: JSONObject, at now: EpochMilliseconds) -> Segment? {
        guard let id = body["id"]?.string, let name = body["name"]?.string,
            let definition = try? AudienceDefinition(body, in: self, checksNames: false)
        else { return nil }
        let created = body["created_at"]?.integer.map { EpochMilliseconds($0) } ?? segment(id)?.createdAt ?? now
        return Segment(
            id: id, name: name, description: body["description"]?.string ?? "",
            tags: (body["tags"]?.array ?? []).compactMap(\.string),
            teams: (body["teams"]?.array ?? []).compactMap(\.string),
            definition: definition, createdAt: created,
            updatedAt: body["updated_at"]?.integer.map { EpochMilliseconds($0) } ?? now,
            isArchived: body["archived"]?.bool == true)
    }

    private mutating func applyMessage(_ kind: Message.Kind, _ body: JSONObject, at now: EpochMilliseconds) {
        guard let id = body["id"]?.string else { return }
        let index = messages.firstIndex { $0.kind == kind && $0.id == id }
        guard body["name"] != nil else {
            guard let index, let isArchived = body["archived"]?.bool else { return }
            messages[index].isArchived = isArchived
            messages[index].updatedAt = now
            return
        }
        guard let message = readMessage(kind, body, at: now) else { return }
        if let index { messages[index] = message } else { messages.append(message) }
    }

    func readMessage(_ kind: Message.Kind, _ body: JSONObject, at now: EpochMilliseconds) -> Message? {
        guard let id = body["id"]?.string, let name = body["name"]?.string,
            let filters = try? AudienceDefinition(
                body["filters"]?.object ?? JSONObject(), in: self, needsFilter: false, checksNames: false)
        else { return nil }
        return Message(
            kind: kind, id: id, name: name, segmentIDs: (body["segments"]?.array ?? []).compactMap(\.string),
            filters: filters,
            createdAt: body["created_at"]?.integer.map { EpochMilliseconds($0) } ?? message(kind, id)?.createdAt ?? now,
            updatedAt: body["updated_at"]?.integer.map { EpochMilliseconds($0) } ?? now,
            isArchived: body["archived"]?.bool == true)
    }
}
