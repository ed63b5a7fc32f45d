public import JSON
import Model

// The builder's state as JSON, for the console. Reading tells which member is wrong.

extension BuilderQuery {
    public var json: JSONValue {
        let groups = groups.map { group -> JSONValue in
            ["negated": .bool(group.isNegated), "conditions": .array(group.rows.map(\.json))]
        }
        return ["groups": .array(groups)]
    }

    public init(json: JSONValue) throws(BuilderError) {
        let reader = MemberReader(json, at: "builder")
        var groups: [Group] = []
        for group in try reader.elements("groups") {
            var rows: [Row] = []
            for row in try group.elements("conditions") { rows.append(try Row(row)) }
            groups.append(Group(isNegated: try group.boolean("negated", default: false), rows))
        }
        self.init(groups)
    }
}

extension BuilderTrait {
    public var json: JSONValue {
        var members: JSONObject = ["event": .string(event), "conditions": .array(filters.map(\.json))]
        reducer.add(to: &members)
        switch window {
        case .anyTime: members["window"] = ["kind": "any_time"]
        case .sliding(let span): members["window"] = ["kind": "sliding", "duration": span.json]
        case .session(let gap): members["window"] = ["kind": "session", "duration": gap.json]
        }
        return .object(members)
    }

    public init(json: JSONValue) throws(BuilderError) {
        let reader = MemberReader(json, at: "builder")
        var filters: [BuilderQuery.Filter] = []
        for filter in try reader.elements("conditions", isOptional: true) {
            filters.append(try BuilderQuery.Filter(filter))
        }
        var window = Window.anyTime
        if let member = reader.member("window") {
            switch try member.text("kind") {
            case "any_time": break
            case "sliding": window = .sliding(try member.duration("duration"))
            case "session": window = .session(try member.duration("duration"))
            default: throw member.error("kind", "expected any_time, sliding or session")
            }
        }
        self.init(
            event: try reader.text("event"), filters: filters, reducer: try Reducer(reader), window: window)
    }
}

// MARK: Rows

extension BuilderQuery.Row {
    fileprivate var json: JSONValue {
        var members: JSONObject = [:]
        switch kind {
        case .event(let event):
            members["kind"] = "event"
            members["event"] = .string(event.name)
            event.frequency.add(to: &members)
            members["filters"] = .array(event.filters.map(\.json))
            members["window"] = event.window.json
            members["children"] = .array(event.children.map(\.json))
        case .audience(let key, let isMember):
            members["kind"] = "audience"
            members["key"] = .string(key)
            members["member"] = .bool(isMember)
        case .trait(let path, let comparator):
            members["kind"] = "trait"
            members["trait"] = .string(path.text)
            comparator.add(to: &members)
        }
        if let quantifier { members["quantifier"] = .string(quantifier.rawValue) }
        return .object(members)
    }

    fileprivate init(_ reader: MemberReader) throws(BuilderError) {
        let kind: Kind
        switch try reader.text("kind") {
        case "event":
            var children: [BuilderQuery.Child] = []
            for child in try reader.elements("children", isOptional: true) {
                children.append(try BuilderQuery.Child(child))
            }
            kind = .event(
                BuilderQuery.Event(
                    try reader.text("event"), try BuilderQuery.Frequency(reader), filters: try reader.filters(),
                    window: try BuilderQuery.Window(reader), children: children))
        case "audience":
            kind = .audience(key: try reader.text("key"), isMember: try reader.boolean("member", default: true))
        case "trait": kind = .trait(PropertyPath(text: try reader.text("trait")), try Comparator(reader))
        default: throw reader.error("kind", "expected event, audience or trait")
        }
        var quantifier: BuilderQuery.Quantifier?
        if reader.member("quantifier") != nil {
            quantifier = try reader.choice("quantifier", BuilderQuery.Quantifier.self)
        }
        self.init(quantifier: quantifier, kind)
    }
}

extension BuilderQuery.Child {
    fileprivate var json: JSONValue {
        var members: JSONObject = ["performed": .bool(isPerformed), "event": .string(name)]
        frequency.add(to: &members)
        members["filters"] = .array(filters.map(\.json))
        members["window"] = window.json
        return .object(members)
    }

    fileprivate init(_ reader: MemberReader) throws(BuilderError) {
        self.init(
            isPerformed: try reader.boolean("performed", default: true), try reader.text("event"),
            try BuilderQuery.Frequency(reader), filters: try reader.filters(), window: try BuilderQuery.Window(reader))
    }
}

extension BuilderQuery.Frequency {
    fileprivate func add(to members: inout JSONObject) {
        members["comparator"] = .string(bound.rawValue)
        members["count"] = .number(count)
    }

    fileprivate init(_ reader: MemberReader) throws(BuilderError) {
        let count = try reader.integer("count")
        if count < 0 { throw reader.error("count", "expected a count of 0 or more") }
        self.init(try reader.choice("comparator", Bound.self), count)
    }
}

extension BuilderQuery.Window {
    fileprivate var json: JSONValue {
        switch self {
        case .anyTime: ["kind": "any_time"]
        case .within(let span): ["kind": "within", "duration": span.json]
        case .between(let from, let to): ["kind": "between", "from": from.json, "to": to.json]
        }
    }

    fileprivate init(_ reader: MemberReader) throws(BuilderError) {
        guard let member = reader.member("window") else {
            self = .anyTime
            return
        }
        switch try member.text("kind") {
        case "any_time": self = .anyTime
        case "within": self = .within(try member.duration("duration"))
        case "between": self = .between(try member.duration("from"), try member.duration("to"))
        default: throw member.error("kind", "expected any_time, within or between")
        }
    }
}

extension BuilderQuery.Filter {
    fileprivate var json: JSONValue {
        var members: JSONObject = [:]
        field.add(to: &members)
        comparator.add(to: &members)
        return .object(members)
    }

    fileprivate init(_ reader: MemberReader) throws(BuilderError) {
        self.init(try Field(reader), try Comparator(reader))
    }
}

extension MemberReader {
    fileprivate func filters() throws(BuilderError) -> [BuilderQuery.Filter] {
        var filters: [BuilderQuery.Filter] = []
        for filter in try elements("filters", isOptional: true) { filters.append(try BuilderQuery.Filter(filter)) }
        return filters
    }
}
