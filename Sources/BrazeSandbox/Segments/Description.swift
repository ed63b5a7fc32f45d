import JSON

/// Filters in words: for `/segments/details`, the list of segments and User Lookup.
struct FilterDescriber {
    let segmentName: (String) -> String
    let cohortName: (String, String) -> String

    func text(_ definition: AudienceDefinition) -> String {
        var parts: [String] = []
        switch definition.apps {
        case .all: break
        case .none: parts.append("from no apps")
        case .some(let ids): parts.append("from the apps \(ids.joined(separator: ", "))")
        }
        let groups = definition.groups.map { group($0, bracketed: definition.groups.count > 1) }
        if !groups.isEmpty { parts.append(groups.joined(separator: " \(definition.join.rawValue) ")) }
        for exclusion in definition.exclusions { parts.append("NOT (\(group(exclusion, bracketed: false)))") }
        return parts.isEmpty ? "everyone" : parts.joined(separator: " AND ")
    }

    private func group(_ group: FilterGroup, bracketed: Bool) -> String {
        let text = group.filters.map { self.text($0) }.joined(separator: " \(group.join.rawValue) ")
        return bracketed && group.filters.count > 1 ? "(\(text))" : text
    }

    func text(_ filter: Filter) -> String {
        switch filter {
        case .attribute(let filter):
            let name = filter.path.map { "\(filter.name).\($0)" } ?? filter.name
            return "\(name) \(comparison(filter.comparison, filter.value))"
        case .field(let name, let comparison, let value): return "\(name) \(self.comparison(comparison, value))"
        case .eventCount(let name, let comparison, let n):
            return "did \"\(name)\" \(comparison.label) \(times(n))"
        case .eventMoment(let name, let isFirst, let comparison, let value):
            let verb = isFirst ? "first did" : "last did"
            switch comparison {
            case .before, .after: return "\(verb) \"\(name)\" \(comparison.label) \(value.string ?? "")"
            case .moreThanAgo, .lessThanAgo:
                let words = comparison == .moreThanAgo ? "more than" : "less than"
                return "\(verb) \"\(name)\" \(words) \(days(value)) ago"
            }
        case .eventInDays(let name, let comparison, let n, let days, let property):
            let condition =
                property.map { " with \($0.name) \($0.comparison.label) \($0.value.string ?? $0.value.description)" }
                ?? ""
            return
                "did \"\(name)\"\(condition) \(comparison.label) \(times(n)) in \(days == 1 ? "1 day" : "\(days) days")"
        case .purchaseCount(let comparison, let n): return "purchased \(comparison.label) \(times(n))"
        case .segment(let id, let isIncluded):
            return "\(isIncluded ? "is" : "is not") in the segment \"\(segmentName(id))\""
        case .cohort(let partner, let id, let isIncluded):
            return "\(isIncluded ? "is" : "is not") in the \(partner) cohort \"\(cohortName(partner, id))\""
        case .flag(let flag, let isSet): return "\(flag.label) is \(isSet)"
        case .randomBucket(let comparison, let n): return "random bucket is \(comparison.label) \(n)"
        }
    }

    private func times(_ n: Int) -> String { n == 1 ? "1 time" : "\(n) times" }

    private func days(_ value: JSONValue) -> String { value == 1 ? "1 day" : "\(value) days" }

    private func comparison(_ comparison: AttributeOperator, _ value: JSONValue) -> String {
        switch comparison.operand {
        case .none: return comparison.label
        case .texts:
            let list = (value.array ?? []).map { "\"\($0.string ?? "")\"" }
            let shown =
                list.prefix(20).joined(separator: ", ") + (list.count > 20 ? " and \(list.count - 20) more" : "")
            return "\(comparison.label) \(shown)"
        case .pattern: return "\(comparison.label) \"\(value.string ?? "")\""
        case .days:
            let words: String
            switch comparison {
            case .moreThanDaysAgo: words = "was more than \(days(value)) ago"
            case .lessThanDaysAgo: words = "was less than \(days(value)) ago"
            case .inMoreThanDays: words = "is in more than \(days(value))"
            default: words = "is in less than \(days(value))"
            }
            return words
        case .number, .date, .monthDay: return "\(comparison.label) \(value.string ?? value.description)"
        }
    }
}
