import Foundation
import JSON

/// A definition that cannot be saved, in words for the person who built it.
struct DefinitionError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Reading filters as the builder and scripts send them, with Braze's limits (spec braze §5.1).
struct FilterReader {
    let workspace: Workspace
    /// Off when a stored filter is read again: names that were blocklisted since do not make it unreadable.
    var checksNames = true

    static let valuesPerFilter = 256
    static let filterBytes = 10_000
    static let patternCharacters = 32_764

    func read(_ json: JSONValue) throws(DefinitionError) -> Filter {
        guard let kind = json["kind"]?.string else {
            throw DefinitionError("A filter needs a kind, such as \"attribute\".")
        }
        let filter = try read(kind, json)
        let isPattern = json["op"]?.string?.hasSuffix("regex") == true
        guard isPattern || filter.json.utf8.count <= FilterReader.filterBytes else {
            throw DefinitionError("A filter may have at most 10,000 bytes; use fewer or shorter values.")
        }
        return filter
    }

    private func read(_ kind: String, _ json: JSONValue) throws(DefinitionError) -> Filter {
        switch kind {
        case "attribute": return .attribute(try attribute(json))
        case "event_count":
            return .eventCount(
                name: try event(json), try count(json), n: try number(json["n"], 0...Int(Int32.max), "n"))
        case "event_first", "event_last":
            return try moment(json, isFirst: kind == "event_first")
        case "event_x_in_y":
            let name = try event(json)
            return .eventInDays(
                name: name, try count(json), n: try number(json["n"], 0...50, "n"),
                days: try number(json["days"], 1...30, "days"), try property(json["property"], of: name))
        case "purchase_count":
            return .purchaseCount(try count(json), n: try number(json["n"], 0...Int(Int32.max), "n"))
        case "field":
            guard let name = json["name"]?.string, Filter.fieldNames.contains(name) else {
                throw DefinitionError(
                    "A field filter needs one of the names \(Filter.fieldNames.joined(separator: ", ")).")
            }
            let comparison = try comparison(json, .string)
            return .field(name: name, comparison, value: try operand(json, comparison))
        case "segment":
            guard let id = json["id"]?.string, !id.isEmpty else { throw DefinitionError("Choose a segment.") }
            return .segment(id: id, isIncluded: json["include"]?.bool ?? true)
        case "cohort":
            guard let id = json["id"]?.string, !id.isEmpty else { throw DefinitionError("Choose a cohort.") }
            return .cohort(
                partner: json["partner"]?.string ?? "segment", id: id, isIncluded: json["include"]?.bool ?? true)
        case "random_bucket":
            return .randomBucket(try count(json), n: try number(json["n"], 0...10_000, "n"))
        default:
            guard let flag = Filter.Flag(rawValue: kind) else {
                throw DefinitionError("There is no filter of the kind \(kind).")
            }
            return .flag(flag, json["include"]?.bool ?? true)
        }
    }

    private func attribute(_ json: JSONValue) throws(DefinitionError) -> Filter.Attribute {
        guard let name = json["name"]?.string, !name.isEmpty else {
            throw DefinitionError("Choose a custom attribute.")
        }
        let entry = workspace.attributes.entry(name)
        if checksNames, entry?.isBlocklisted == true {
            throw DefinitionError("The attribute \(name) is blocklisted and cannot be used.")
        }
        let path = json["path"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let given = json["type"]?.string.flatMap(AttributeType.init(rawValue:))
        guard let type = given ?? (path == nil ? entry?.type : nil) else {
            throw DefinitionError(
                path == nil
                    ? "No user has the custom attribute \(name) yet; it can be used once its first value has arrived."
                    : "A filter on a nested value needs the type of that value.")
        }
        let comparison = try comparison(json, type)
        return Filter.Attribute(
            name: name, path: path, type: type, comparison: comparison, value: try operand(json, comparison))
    }

    private func comparison(_ json: JSONValue, _ type: AttributeType) throws(DefinitionError) -> AttributeOperator {
        let offered = AttributeOperator.offered(for: type).map(\.rawValue).joined(separator: ", ")
        guard let name = json["op"]?.string else { throw DefinitionError("Choose an operator: \(offered).") }
        guard let comparison = AttributeOperator.named(name, type: type, value: json["value"]) else {
            throw DefinitionError("\(name) is no operator of a \(type.title) attribute. Operators: \(offered).")
        }
        return comparison
    }

    private func operand(_ json: JSONValue, _ comparison: AttributeOperator) throws(DefinitionError) -> JSONValue {
        let value = json["value"] ?? json["values"] ?? .null
        switch comparison.operand {
        case .none: return .null
        case .number, .days:
            guard let number = value.double ?? value.string.flatMap(Double.init), number.isFinite else {
                throw DefinitionError("\"\(comparison.label)\" needs a number.")
            }
            guard comparison.operand == .number || number >= 0 else {
                throw DefinitionError("\"\(comparison.label)\" needs a number of days from 0 on.")
            }
            return .number(number)
        case .texts:
            let values = (value.array ?? (value.isNull ? [] : [value])).map { $0.string ?? $0.description }
            guard !values.isEmpty else { throw DefinitionError("\"\(comparison.label)\" needs at least one value.") }
            guard values.count <= FilterReader.valuesPerFilter else {
                throw DefinitionError("\"\(comparison.label)\" takes at most 256 values.")
            }
            return .array(values.map { .string($0) })
        case .pattern:
            guard let pattern = value.string, !pattern.isEmpty else {
                throw DefinitionError("\"\(comparison.label)\" needs a pattern.")
            }
            guard pattern.count <= FilterReader.patternCharacters else {
                throw DefinitionError("A pattern may have at most 32,764 characters.")
            }
            guard Pattern(pattern) != nil else {
                throw DefinitionError("The pattern \(pattern.prefix(80)) is not a regular expression.")
            }
            return .string(pattern)
        case .date:
            guard let text = value.string, CompanyCalendar.days(text) != nil else {
                throw DefinitionError("\"\(comparison.label)\" needs a date such as 2026-01-31.")
            }
            return .string(text)
        case .monthDay:
            guard let text = value.string, text.utf8.count == 5, CompanyCalendar.days("2024-" + text) != nil else {
                throw DefinitionError("\"\(comparison.label)\" needs month and day such as 12-24.")
            }
            return .string(text)
        }
    }

    private func event(_ json: JSONValue) throws(DefinitionError) -> String {
        guard let name = json["name"]?.string, !name.isEmpty else { throw DefinitionError("Choose a custom event.") }
        if checksNames, workspace.events.entry(name)?.isBlocklisted == true {
            throw DefinitionError("The event \(name) is blocklisted and cannot be used.")
        }
        return name
    }

    private func count(_ json: JSONValue) throws(DefinitionError) -> CountComparison {
        let name = json["op"]?.string?.lowercased().replacing(" ", with: "_") ?? ""
        guard let comparison = CountComparison(rawValue: name) else {
            throw DefinitionError("Choose more_than, less_than or exactly.")
        }
        return comparison
    }

    private func number(_ value: JSONValue?, _ range: ClosedRange<Int>, _ name: String) throws(DefinitionError) -> Int {
        guard let number = value?.integer ?? value?.string.flatMap({ Int($0) }), range.contains(number) else {
            throw DefinitionError("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    private func moment(_ json: JSONValue, isFirst: Bool) throws(DefinitionError) -> Filter {
        let name = try event(json)
        guard let comparison = json["op"]?.string.flatMap(MomentComparison.init(rawValue:)) else {
            throw DefinitionError("Choose before, after, more_than_ago or less_than_ago.")
        }
        switch comparison {
        case .before, .after:
            guard let text = json["value"]?.string, CompanyCalendar.days(text) != nil else {
                throw DefinitionError("\"\(comparison.label)\" needs a date such as 2026-01-31.")
            }
            return .eventMoment(name: name, isFirst: isFirst, comparison, value: .string(text))
        case .moreThanAgo, .lessThanAgo:
            guard let days = json["value"]?.double ?? json["value"]?.string.flatMap(Double.init), days >= 0,
                days.isFinite
            else {
                throw DefinitionError(
                    "\"\(comparison.label)\" needs a number of days; decimals are allowed, 0.25 is 6 hours.")
            }
            return .eventMoment(name: name, isFirst: isFirst, comparison, value: .number(days))
        }
    }

    private func property(_ json: JSONValue?, of event: String) throws(DefinitionError) -> Filter.Property? {
        guard let json, !json.isNull else { return nil }
        guard let name = json["name"]?.string, let value = json["value"], !value.isNull,
            let comparison = json["op"]?.string.flatMap(Filter.PropertyComparison.init(rawValue:))
        else { throw DefinitionError("A property condition needs a name, an operator and a value.") }
        guard !checksNames || workspace.events.entry(event)?.enabledProperties.contains(name) == true else {
            throw DefinitionError(
                "The property \(name) of \(event) is not enabled for segmentation; enable it under Events.")
        }
        return Filter.Property(name: name, comparison: comparison, value: value)
    }
}
