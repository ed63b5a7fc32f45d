import JSON

/// Lists of segments, attributes, events, products, campaigns and Canvases (spec braze §4.4).
extension Sandbox {
    func segmentsList(_ call: Call) throws(CallError) -> SandboxAnswer {
        try workspace(call) { state, index throws(CallError) in
            let active = state.workspaces[index].segments.filter { !$0.isArchived }
            let page = try Sandbox.page(Sandbox.sorted(active, call) { $0.createdAt }, call, size: 100)
            return SandboxAnswer(
                200,
                [
                    "message": "success",
                    "segments": .array(
                        page.map { segment in
                            [
                                "id": .string(segment.id), "name": .string(segment.name),
                                "analytics_tracking_enabled": true,
                                "tags": .array(segment.tags.map { .string($0) }),
                            ]
                        }),
                ])
        }
    }

    func segmentDetails(_ call: Call) throws(CallError) -> SandboxAnswer {
        try workspace(call) { state, index throws(CallError) in
            let workspace = state.workspaces[index]
            let segment = try Sandbox.segment(call, workspace)
            return SandboxAnswer(
                200,
                [
                    "message": "success", "created_at": .string(DateText.iso(segment.createdAt)),
                    "updated_at": .string(DateText.iso(segment.updatedAt)), "name": .string(segment.name),
                    "description": .string(workspace.describer.text(segment.definition)),
                    "text_description": .string(segment.description), "tags": .array(segment.tags.map { .string($0) }),
                    "teams": .array(segment.teams.map { .string($0) }),
                ])
        }
    }

    /// Sizes of past days as far as somebody looked; today's is counted now. Nothing before the segment existed.
    func segmentSeries(_ call: Call) throws(CallError) -> SandboxAnswer {
        let (segment, audience) = try workspace(call) { state, index throws(CallError) in
            (try Sandbox.segment(call, state.workspaces[index]), state.audience(state.workspaces[index]))
        }
        let days = try Sandbox.series(call, now: audience.now)
        let today: Int
        do throws(DefinitionError) {
            today = try audience.members(of: [segment.definition], limit: 0).count
        } catch {
            throw CallError(error)
        }
        let current = Int(DateText.floorDivide(audience.now, DateText.day))
        let created = Int(DateText.floorDivide(segment.createdAt, DateText.day))
        let data = days.filter { $0 >= created && $0 <= current }.map { day in
            let seen = day == current ? today : segment.sizes.last { $0.day <= day }?.size ?? 0
            return JSONValue.object([
                "time": .string(DateText.dateOnly(EpochMilliseconds(day) * DateText.day)), "size": .number(seen),
            ])
        }
        return SandboxAnswer(200, ["message": "success", "data": .array(data)])
    }

    private static func segment(_ call: Call, _ workspace: Workspace) throws(CallError) -> Segment {
        guard let id = call.request.parameter("segment_id") ?? call.body["segment_id"]?.string, !id.isEmpty else {
            throw CallError(400, "'segment_id' is required")
        }
        guard let segment = workspace.segment(id) else { throw CallError(400, "Invalid segment_id") }
        return segment
    }

    // MARK: Attributes, events, products

    func attributesList(_ call: Call) throws(CallError) -> SandboxAnswer {
        try workspace(call) { state, index throws(CallError) in
            let entries = state.workspaces[index].attributes.entries.filter { $0.type != nil }
            let (page, next) = try Sandbox.cursorPage(entries, call)
            var answer = SandboxAnswer(
                200,
                [
                    "message": "success",
                    "attributes": .array(
                        page.map { entry in
                            [
                                "name": .string(entry.name), "data_type": .string(entry.typeText),
                                "array_length": entry.type == .array ? .number(state.switches.arrayCap) : .null,
                                "description": .null, "status": entry.isBlocklisted ? "Blocklisted" : "Active",
                                "tag_names": [],
                            ]
                        }),
                ])
            if let next { answer.headers.append(("link", "</custom_attributes?cursor=\(next)>; rel=\"next\"")) }
            return answer
        }
    }

    func eventsList(_ call: Call) throws(CallError) -> SandboxAnswer {
        try workspace(call) { state, index throws(CallError) in
            let names = state.workspaces[index].events.entries.map(\.name).sorted()
            let page = try Sandbox.page(names, call, size: 250)
            return SandboxAnswer(200, ["message": "success", "events": .array(page.map { .string($0) })])
        }
    }

    func eventsFull(_ call: Call) throws(CallError) -> SandboxAnswer {
        try workspace(call) { state, index throws(CallError) in
            let (page, next) = try Sandbox.cursorPage(state.workspaces[index].events.entries, call)
            var answer = SandboxAnswer(
                200,
                [
                    "message": "success",
                    "events": .array(
                        page.map { entry in
                            [
                                "name": .string(entry.name), "description": .null,
                                "included_in_analytics_report": false,
                                "status": entry.isBlocklisted ? "Blocklisted" : "Active", "tag_names": [],
                            ]
                        }),
                ])
            if let next { answer.headers.append(("link", "</events?cursor=\(next)>; rel=\"next\"")) }
            return answer
        }
    }

    /// Occurrences per day or hour, over all users.
    func eventsSeries(_ call: Call) throws(CallError) -> SandboxAnswer {
        guard let name = call.request.parameter("event"), !name.isEmpty else {
            throw CallError(400, "'event' is required")
        }
        let isHourly = call.request.parameter("unit") == "hour"
        return try workspace(call) { state, index throws(CallError) in
            guard let entry = state.workspaces[index].events.entry(name) else { throw CallError(400, "Invalid event") }
            let units = try Sandbox.series(call, now: state.now, unit: isHourly ? 3_600_000 : DateText.day)
            let data = units.map { unit in
                let count =
                    isHourly ? entry.hourly[unit] ?? 0 : (0..<24).reduce(0) { $0 + (entry.hourly[unit * 24 + $1] ?? 0) }
                let start = EpochMilliseconds(unit) * (isHourly ? 3_600_000 : DateText.day)
                return JSONValue.object([
                    "time": .string(isHourly ? DateText.iso(start) : DateText.dateOnly(start)), "count": .number(count),
                ])
            }
            return SandboxAnswer(200, ["message": "success", "data": .array(data)])
        }
    }

    func productsList(_ call: Call) throws(CallError) -> SandboxAnswer {
        try workspace(call) { state, index throws(CallError) in
            let page = try Sandbox.page(state.workspaces[index].products.entries.map(\.name).sorted(), call, size: 250)
            return SandboxAnswer(200, ["message": "success", "products": .array(page.map { .string($0) })])
        }
    }

    // MARK: Campaigns and Canvases

    func campaignsList(_ call: Call) throws(CallError) -> SandboxAnswer {
        try messagesList(call, .campaign, "campaigns")
    }

    func canvasesList(_ call: Call) throws(CallError) -> SandboxAnswer { try messagesList(call, .canvas, "canvases") }

    private func messagesList(_ call: Call, _ kind: Message.Kind, _ name: String) throws(CallError) -> SandboxAnswer {
        let withArchived = call.request.parameter("include_archived") == "true"
        let after = call.request.parameter("last_edit.time[gt]").flatMap(DateText.parse)
        return try workspace(call) { state, index throws(CallError) in
            let messages = state.workspaces[index].messages.filter { message in
                message.kind == kind && (withArchived || !message.isArchived)
                    && after.map { message.updatedAt > $0 } ?? true
            }
            let page = try Sandbox.page(Sandbox.sorted(messages, call) { $0.createdAt }, call, size: 100)
            return SandboxAnswer(
                200,
                [
                    "message": "success",
                    name: .array(
                        page.map { message in
                            var object: JSONObject = [
                                "id": .string(message.id), "name": .string(message.name), "tags": [],
                                "last_edited": .string(DateText.iso(message.updatedAt)),
                            ]
                            if kind == .campaign { object["is_api_campaign"] = false }
                            return .object(object)
                        }),
                ])
        }
    }

    func campaignDetails(_ call: Call) throws(CallError) -> SandboxAnswer { try messageDetails(call, .campaign) }

    func canvasDetails(_ call: Call) throws(CallError) -> SandboxAnswer { try messageDetails(call, .canvas) }

    private func messageDetails(_ call: Call, _ kind: Message.Kind) throws(CallError) -> SandboxAnswer {
        guard let id = call.request.parameter("\(kind.rawValue)_id") else {
            throw CallError(400, "'\(kind.rawValue)_id' is required")
        }
        return try workspace(call) { state, index throws(CallError) in
            guard let message = state.workspaces[index].message(kind, id) else {
                throw CallError(400, "Invalid \(kind.rawValue)_id")
            }
            return SandboxAnswer(
                200,
                [
                    "message": "success", "name": .string(message.name),
                    "created_at": .string(DateText.iso(message.createdAt)),
                    "updated_at": .string(DateText.iso(message.updatedAt)), "archived": .bool(message.isArchived),
                    "tags": [],
                ])
        }
    }

    // MARK: Paging

    private static func sorted<Element>(
        _ elements: [Element], _ call: Call, by date: (Element) -> EpochMilliseconds
    ) -> [Element] {
        let isDescending = call.request.parameter("sort_direction") == "desc"
        return elements.sorted { isDescending ? date($0) > date($1) : date($0) < date($1) }
    }

    private static func page<Element>(_ elements: [Element], _ call: Call, size: Int) throws(CallError) -> ArraySlice<
        Element
    > {
        let text = call.request.parameter("page") ?? "0"
        guard let page = Int(text), (0...1_000_000).contains(page) else {
            throw CallError(400, "'page' must be a number")
        }
        return elements.dropFirst(page * size).prefix(size)
    }

    /// Pages of 50; the cursor is opaque to callers.
    private static func cursorPage<Element>(
        _ elements: [Element], _ call: Call
    ) throws(CallError) -> (page: ArraySlice<Element>, next: String?) {
        let start = call.request.parameter("cursor").map { Int($0, radix: 36) } ?? 0
        guard let start, start >= 0 else { throw CallError(400, "Invalid cursor") }
        let page = elements.dropFirst(start).prefix(50)
        return (page, start + 50 < elements.count ? String(start + 50, radix: 36) : nil)
    }

    /// The units (days or hours since the epoch) that `length` and `ending_at` ask for, ascending.
    private static func series(
        _ call: Call, now: EpochMilliseconds, unit: EpochMilliseconds = DateText.day
    ) throws(CallError) -> ClosedRange<Int> {
        guard let length = call.request.parameter("length").flatMap({ Int($0) }), (1...100).contains(length) else {
            throw CallError(400, "'length' must be a number from 1 to 100")
        }
        var end = now
        if let text = call.request.parameter("ending_at") {
            guard let instant = DateText.parse(text) else {
                throw CallError(400, "'ending_at' must be an ISO 8601 time")
            }
            end = min(instant, now)
        }
        let last = Int(DateText.floorDivide(end, unit))
        return last - length + 1...last
    }
}
