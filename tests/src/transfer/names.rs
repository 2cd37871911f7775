//! The names of a set's files and members (FILE-1, FILE-2).

use super::set::SetRecipe;
use crate::Error;
use crate::template::Values;

/// The names of a set.
pub(super) struct Names {
    /// Each zip, with its members.
    pub(super) zips: Vec<(String, Vec<String>)>,
    pub(super) control: String,
}

impl Names {
    /// What the set is called.
    pub(super) fn set(&self) -> String {
        self.control.trim_end_matches("_CONTROL.xml").to_owned()
    }
}

/// Makes the names of a set, and names them to the case's texts.
pub(super) fn values_of_set(recipe: &SetRecipe, values: &mut Values) -> Result<Names, Error> {
    let is_psn = recipe.feed == "psn";
    let name = |template: &str| {
        let mut name = values.text(template)?;
        for (from, to) in &recipe.names {
            name = name.replace(&values.text(from)?, &values.text(to)?);
        }
        Ok::<_, Error>(name)
    };
    let mut zips = Vec::new();
    for number in 0..recipe.zips {
        let (zip, members) = match is_psn {
            true => (
                "PSN_DAILY_PROVIDER_${platform}_${extract}_${batch}_${stamp}_${code}.zip".to_owned(),
                vec![
                    "PSN_DAILY_AGENT_IRD_132000000_${extract}_${batch}_${stamp}_${code}.xml".to_owned(),
                    "PSN_DAILY_CUSTOMER_${extract}_${batch}_${stamp}_${code}.xml".to_owned(),
                ],
            ),
            false => (
                format!("DAILY_PROVIDER_${{platform}}_{number}_${{stamp+{number}}}_${{code}}.zip"),
                vec![
                    format!("DAILY_AGENT_IRD_13200000{number}_0_${{stamp}}_${{code}}.xml"),
                    format!("DAILY_CUSTOMER_{number}_${{stamp}}_${{code}}.xml"),
                ],
            ),
        };
        let members =
            if number == 0 && !recipe.members.is_empty() { recipe.members.clone() } else { members };
        let members = members.iter().map(|member| name(member)).collect::<Result<Vec<_>, _>>()?;
        zips.push((name(&zip)?, members));
    }
    let control = match is_psn {
        true => {
            "PSN_DAILY_PROVIDER_${platform}_${extract}_${batch}_${stamp+9}_${code}_CONTROL.xml".to_owned()
        }
        false => format!("DAILY_PROVIDER_${{platform}}_{}_${{stamp+9}}_${{code}}_CONTROL.xml", recipe.zips),
    };
    let control = name(&control)?;
    let names = Names { zips, control };
    for (number, (zip, members)) in names.zips.iter().enumerate() {
        values.set(&format!("zip_{number}"), zip);
        let first = members.iter().enumerate().filter(|_| number == 0);
        first.for_each(|(number, member)| values.set(&format!("member_{number}"), member));
    }
    values.set("control", &names.control);
    values.set("set", names.set());
    Ok(names)
}
