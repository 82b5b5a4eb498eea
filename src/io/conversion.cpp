// SPDX-License-Identifier: MIT
#include "io/conversion.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "io/census.hpp"
#include "io/conversion_output.hpp"
#include "io/conversion_parts.hpp"
#include "io/dataset.hpp"
#include "io/rejections.hpp"

namespace isotrope {

namespace fs = std::filesystem;

namespace conversion {

namespace {

/// The parts of this rank, one after the other.
class PartConverter {
 public:
  PartConverter(const ConversionRequest& request, const PartFolder& folder, int parts)
      : request_(request), folder_(folder), progress_("convert"), parts_(parts) {}

  void operator()(int index, const Part& part) {
    ReadOptions options = request_.read;
    options.entries = part.entries;
    auto reader = open_reader(part.file, request_.format, options);
    PartRecord record;
    auto writer = std::make_unique<DatasetWriter>(folder_.structures_path(index));
    for (Structure structure; next(*reader, structure, record);) {
      writer->add(structure);
      ++record.structures;
      if (progress_.due()) {
        progress_.update((done_ + reader->progress()) / parts_,
                         fmt::format("{} structures", structures_ + record.structures));
      }
    }
    record.findings = reader->report();
    if (record.structures > 0) writer->commit({}, false, {});
    writer.reset();
    folder_.write_record(index, record);
    structures_ += record.structures;
    ++done_;
  }

 private:
  bool next(StructureReader& reader, Structure& structure, PartRecord& record) {
    for (;;) {
      try {
        return reader.next(structure);
      } catch (const EntryError& error) {
        if (!request_.skip_bad) {
          log().info("--on-error skip leaves out what is not fit, and lists it");
          throw;
        }
        record.rejected.push_back(error.what());
      }
    }
  }

  const ConversionRequest& request_;
  const PartFolder& folder_;
  Progress progress_;
  double parts_, done_ = 0;
  std::int64_t structures_ = 0;
};

/// What was found in each input, over its parts: text and unit decide what is added up.
nlohmann::json summarise(const std::vector<Part>& parts, const std::vector<PartRecord>& records) {
  nlohmann::json sources = nlohmann::json::array();
  for (std::size_t first = 0; first < parts.size();) {
    std::vector<Finding> findings;
    std::int64_t structures = 0, rejected = 0;
    std::size_t p = first;
    for (; p < parts.size() && parts[p].file == parts[first].file && (p == first || parts[p].entries.begin > 0); ++p) {
      structures += records[p].structures;
      rejected += static_cast<std::int64_t>(records[p].rejected.size());
      for (const Finding& f : records[p].findings) {
        auto same = std::find_if(findings.begin(), findings.end(),
                                 [&](const Finding& other) { return other.text == f.text && other.unit == f.unit; });
        if (same == findings.end()) {
          findings.push_back(f);
        } else {
          same->count += f.count;
          same->total += f.total;
        }
      }
    }
    const std::vector<std::string> lines = lines_of(findings);
    for (const std::string& line : lines) log().info("{}: {}", parts[first].file, line);
    const fs::path input(parts[first].file);  // a folder may end in a slash
    const fs::path name = input.has_filename() ? input.filename() : input.parent_path().filename();
    sources.push_back({{"file", name.string()}, {"structures", structures}, {"labels", lines}});
    if (rejected > 0) sources.back()["rejected"] = rejected;
    first = p;
  }
  return sources;
}

/// Puts the finished parts together.
class Joiner {
 public:
  Joiner(const ConversionRequest& request, const PartFolder& folder, const std::vector<Part>& parts)
      : request_(request), folder_(folder), parts_(parts) {
    for (int p = 0; p < static_cast<int>(parts.size()); ++p) {
      records_.push_back(folder.record(p));
      structures_ += records_.back().structures;
    }
  }

  ConversionOutcome operator()() {
    const nlohmann::json rejected = write_rejected();
    nlohmann::json provenance = request_.provenance;
    provenance["sources"] = summarise(parts_, records_);
    if (structures_ == 0) {
      folder_.remove();
      fail("{}: not written, there are no structures", request_.output);
    }
    Split split;
    if (request_.split) {
      split = make_split(*request_.split, split_input());
      provenance["split"] = split.record;
    }
    const std::string joined = folder_.joined_path(fs::path(request_.output).extension().string());
    Output output(joined, request_, folder_.path());
    nlohmann::json census = copy(output, split).json();
    if (!rejected.is_null()) {
      census["rejected"] = rejected;
      provenance["rejected"] = rejected["entries"];
    }
    output.commit(provenance, census);
    if (fs::exists(joined)) fs::rename(joined, request_.output);
    return {census};
  }

 private:
  /// The log, and what of it belongs into the census: null where nothing was rejected.
  nlohmann::json write_rejected() const {
    const std::string log_path = request_.output + ".rejected.log";
    std::string text;
    Rejections rejections;
    for (std::size_t p = 0; p < records_.size(); ++p) {
      for (const std::string& message : records_[p].rejected) {
        text += message + "\n";
        rejections.add(message, parts_[p].file);
      }
    }
    if (text.empty()) {
      fs::remove(log_path);  // of an earlier conversion
      return nullptr;
    }
    write_text_file(log_path, text);
    return rejections.json(fs::path(log_path).filename().string());
  }

  SplitInput split_input() const {
    SplitInput input;
    std::unordered_map<std::string, int> index_of;
    for (int p = 0; p < static_cast<int>(records_.size()); ++p) {
      if (records_[p].structures == 0) continue;
      const Dataset part = Dataset::open(folder_.structures_path(p));
      std::vector<int> index;
      for (const std::string& name : part.group_names()) {
        const auto [place, is_new] = index_of.try_emplace(name, static_cast<int>(input.group_names.size()));
        if (is_new) input.group_names.push_back(name);
        index.push_back(place->second);
      }
      for (int group : part.groups()) input.group.push_back(index.at(group));
    }
    return input;
  }

  Census copy(Output& output, const Split& split) const {
    constexpr std::int64_t block = 1024;
    Progress progress("write");
    Census census;
    std::size_t place = 0;
    for (int p = 0; p < static_cast<int>(records_.size()); ++p) {
      if (records_[p].structures == 0) continue;
      const Dataset part = Dataset::open(folder_.structures_path(p));
      for (std::int64_t begin = 0; begin < part.size(); begin += block) {
        for (Structure& s : part.read_range(begin, std::min(block, part.size() - begin))) {
          if (request_.split) s.split = split.set[place] < 0 ? "" : split.names[split.set[place]];
          output.add(s);
          census.add(s);
          ++place;
        }
        progress.update(static_cast<double>(place) / static_cast<double>(structures_),
                        fmt::format("{} structures", place));
      }
    }
    return census;
  }

  const ConversionRequest& request_;
  const PartFolder& folder_;
  const std::vector<Part>& parts_;
  std::vector<PartRecord> records_;
  std::int64_t structures_ = 0;
};

}  // namespace
}  // namespace conversion

ConversionOutcome convert(const ConversionRequest& request, const Communicator& communicator) {
  conversion::Output::check(request);
  if (request.split) check_rule(*request.split);
  const std::vector<conversion::Part> parts = conversion::plan_parts(request);
  const conversion::PartFolder folder(request.output);
  const int count = static_cast<int>(parts.size());
  if (communicator.root()) {
    const int done = folder.begin(request, parts);
    if (done > 0) log().info("going on with {}.parts: {} of {} parts are done", request.output, done, count);
  }
  communicator.barrier();
  try {
    std::vector<int> mine;
    for (int p = communicator.rank(); p < count; p += communicator.ranks())
      if (!folder.is_done(p)) mine.push_back(p);
    conversion::PartConverter convert_part(request, folder, static_cast<int>(mine.size()));
    for (int p : mine) convert_part(p, parts[p]);
    communicator.barrier();
    if (!communicator.root()) return {};
    ConversionOutcome outcome = conversion::Joiner(request, folder, parts)();
    folder.remove();
    return outcome;
  } catch (...) {
    if (communicator.ranks() == 1 && !folder.remove_if_nothing_is_done())
      log().warn("finished parts stay in {}: the same command goes on from them", folder.path());
    throw;
  }
}

}  // namespace isotrope
